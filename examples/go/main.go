// verify-image asks tufd, the daemon of this node, whether an image may be used, and obeys.
//
//	verify-image REFERENCE DIGEST
//
// It exits 0 on ALLOW, 1 on DENY, 3 without a verdict (tufd is down, too slow, not believed). Whatever is not 0 means:
// do not use the image.
//
// TUFD_SOCKET names the socket, TUFD_UID the user that tufd runs as besides root.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"tufd.example/verify-image/tufdv1"
)

// deadline is for everything. tufd may look for newer metadata for up to 6 s before it answers.
const deadline = 8 * time.Second

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: verify-image REFERENCE DIGEST")
		os.Exit(2)
	}
	verdict, err := verify(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintf(os.Stderr, "no verdict: %v\n", err)
		os.Exit(3)
	}
	fmt.Printf("%v %s: %s\n", verdict.Decision, verdict.Reason, verdict.Text)
	if verdict.Decision != tufdv1.Decision_ALLOW {
		os.Exit(1)
	}
	// Only here: use the image, by this digest.
}

// verify returns ALLOW or DENY. Every error is "no verdict", and the caller blocks on it.
func verify(reference, digest string) (*tufdv1.Verdict, error) {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	connection, err := grpc.NewClient("passthrough:///tufd",
		grpc.WithContextDialer(dial),
		grpc.WithTransportCredentials(insecure.NewCredentials())) // a Unix socket: dial checks who listens
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	request := &tufdv1.VerifyImageRequest{Reference: reference, Digest: digest}
	verdict, err := tufdv1.NewVerifierClient(connection).VerifyImage(ctx, request)
	if err != nil {
		return nil, err
	}
	if verdict.Digest != digest {
		return nil, fmt.Errorf("the verdict is about %q", verdict.Digest)
	}
	switch verdict.Decision {
	case tufdv1.Decision_ALLOW, tufdv1.Decision_DENY:
		return verdict, nil
	default:
		return nil, fmt.Errorf("neither ALLOW nor DENY: %v", verdict.Decision)
	}
}

// dial connects to tufd's socket and believes it only if root or tufd's user listens: anyone can create a socket.
func dial(ctx context.Context, _ string) (net.Conn, error) {
	path := setting("TUFD_SOCKET", "unix:///run/tufd/tufd.sock")
	path = strings.TrimPrefix(strings.TrimPrefix(path, "unix:"), "//")
	uid, err := strconv.ParseUint(setting("TUFD_UID", "0"), 10, 32)
	if err != nil {
		return nil, fmt.Errorf("TUFD_UID: %w", err)
	}
	connection, err := new(net.Dialer).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	peer, err := peer(connection.(*net.UnixConn))
	if err == nil && peer.Uid != 0 && uint64(peer.Uid) != uid {
		err = fmt.Errorf("uid %d listens on %s, which is neither root nor tufd", peer.Uid, path)
	}
	if err != nil {
		connection.Close()
		return nil, err
	}
	return connection, nil
}

// peer returns the credentials of the process that listens, as the kernel recorded them.
func peer(connection *net.UnixConn) (credentials *syscall.Ucred, err error) {
	raw, err := connection.SyscallConn()
	if err != nil {
		return nil, err
	}
	failed := raw.Control(func(fd uintptr) {
		credentials, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	if failed != nil {
		return nil, failed
	}
	return credentials, err
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
