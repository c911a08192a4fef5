"""A TUF repository made by python-tuf: the organisation whose images the suites pull.

    org.py DIR init --team payments='127.0.0.1:5000/payments/*:*,127.0.0.1:5000/payments/*@*'
    org.py DIR sign payments 127.0.0.1:5000/payments/app:v1=sha256:HEX,405 …
    org.py DIR rescind payments 127.0.0.1:5000/payments/app:v1 …
    org.py DIR new-keys root-4:rsa
    org.py DIR rotate-root --drop root-1 --add root-4
    org.py DIR steal --keys root-1 root-2
    org.py DIR new-root --keys root-3 root-5:ed25519 root-6:ecdsa
    org.py DIR bundle root-1 root-2 root-3 > bundle.pem
    org.py DIR read http://127.0.0.1:8000/metadata/ 127.0.0.1:5000/payments/app:v1

Private keys are in DIR/keys, what is served in DIR/www/metadata. A key is named NAME or, where it
is to be made, NAME:KIND with a kind of ed25519, ecdsa (P-256) or rsa (3072 bits, PSS).
"""

import argparse
import datetime
import os
import pathlib
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole, Delegations, Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp,
)
from tuf.ngclient import Updater

KINDS = {
    "ed25519": CryptoSigner.generate_ed25519,
    "ecdsa": CryptoSigner.generate_ecdsa,
    "rsa": CryptoSigner.generate_rsa,
}
ROOT_THRESHOLD = 2
DAYS = {"root": 365, "timestamp": 1, "snapshot": 7}  # all others 90


class Organisation:
    def __init__(self, directory: pathlib.Path):
        self.keys = directory / "keys"
        self.metadata = directory / "www" / "metadata"

    # Keys

    def private(self, name: str):
        """The key NAME, made first where `name` is NAME:KIND."""
        name, _, kind = name.partition(":")
        path = self.keys / f"{name}.pem"
        if kind:
            path.write_bytes(KINDS[kind]().private_bytes)
        return serialization.load_pem_private_key(path.read_bytes(), None)

    def signer(self, name: str) -> CryptoSigner:
        return CryptoSigner(self.private(name))

    # Files

    def latest(self, role: str) -> Metadata | None:
        """The newest version of a role, none before the first."""
        if role == "timestamp":
            path = self.metadata / "timestamp.json"
            return Metadata.from_file(str(path)) if path.exists() else None
        versions = [int(path.name.partition(".")[0]) for path in self.metadata.glob(f"*.{role}.json")]
        return Metadata.from_file(str(self.metadata / f"{max(versions)}.{role}.json")) if versions else None

    def write(self, role: str, signed, signers: list[CryptoSigner]) -> None:
        """Signs and puts a role into place by a rename."""
        signed.expires = now() + datetime.timedelta(days=DAYS.get(role, 90))
        metadata = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        name = "timestamp.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        with tempfile.NamedTemporaryFile(dir=self.metadata, delete=False) as file:
            file.write(metadata.to_bytes())
        os.chmod(file.name, 0o644)
        os.rename(file.name, self.metadata / name)
        print(f"{role} {signed.version}", file=sys.stderr)

    def publish(self, changed: dict[str, Targets]) -> None:
        """Writes changed targets roles, a snapshot and, last of all, the timestamp."""
        old = self.latest("snapshot")
        snapshot = successor(old.signed) if old else Snapshot(meta={})
        for role, targets in changed.items():
            known = snapshot.meta.get(f"{role}.json")
            targets.version = known.version + 1 if known else 1
            self.write(role, targets, [self.signer(role)])
            snapshot.meta[f"{role}.json"] = MetaFile(targets.version)
        self.write("snapshot", snapshot, [self.signer("snapshot")])
        old = self.latest("timestamp")
        timestamp = successor(old.signed) if old else Timestamp()
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        self.write("timestamp", timestamp, [self.signer("timestamp")])

    def write_root(self, root: Root, keys: list[str], also: list[CryptoSigner]) -> None:
        """Gives `root` the root keys `keys` and signs it with these and with `also`."""
        signers = {signer.public_key.keyid: signer for signer in map(self.signer, keys)}
        for keyid in list(root.roles["root"].keyids):
            root.revoke_key(keyid, "root")
        for signer in signers.values():
            root.add_key(signer.public_key, "root")
        root.roles["root"].threshold = ROOT_THRESHOLD
        signers.update({signer.public_key.keyid: signer for signer in also})
        self.write("root", root, list(signers.values()))

    def renew_targets_key(self, root: Root) -> None:
        root.revoke_key(self.signer("targets").public_key.keyid, "targets")
        root.add_key(self.signer("targets:ed25519").public_key, "targets")

    def root_key_names(self, root: Root) -> list[str]:
        """Names of the private keys that are in the root role."""
        names = sorted(path.stem for path in self.keys.glob("*.pem"))
        return [name for name in names if self.signer(name).public_key.keyid in root.roles["root"].keyids]


# Commands


def init(org: Organisation, args: argparse.Namespace) -> None:
    org.keys.mkdir(parents=True, mode=0o700)
    org.metadata.mkdir(parents=True)
    root = Root(version=1, consistent_snapshot=True)
    for role in ("timestamp", "snapshot", "targets"):
        root.add_key(org.signer(f"{role}:ed25519").public_key, role)
    org.write_root(root, ["root-1:ed25519", "root-2:ecdsa", "root-3:rsa"], [])
    delegations = Delegations(keys={}, roles={})
    changed = {"targets": Targets(version=1, delegations=delegations)}
    for team in args.team:
        name, _, paths = team.partition("=")
        key = org.signer(f"{name}:ecdsa").public_key
        delegations.keys[key.keyid] = key
        delegations.roles[name] = DelegatedRole(name, [key.keyid], 1, terminating=True, paths=paths.split(","))
        changed[name] = Targets(version=1)
    org.publish(changed)


def sign(org: Organisation, args: argparse.Namespace) -> None:
    targets = org.latest(args.role).signed
    for entry in args.targets:
        path, _, blob = entry.rpartition("=")
        digest, _, size = blob.partition(",")
        targets.targets[path] = TargetFile(int(size), {"sha256": digest.removeprefix("sha256:")}, path)
    org.publish({args.role: targets})


def rescind(org: Organisation, args: argparse.Namespace) -> None:
    targets = org.latest(args.role).signed
    for path in args.targets:
        del targets.targets[path]
    org.publish({args.role: targets})


def new_keys(org: Organisation, args: argparse.Namespace) -> None:
    for name in args.keys:
        org.private(name)


def rotate_root(org: Organisation, args: argparse.Namespace) -> None:
    """N+1, signed by all keys of N and of N+1. `--add` names a key that is there or is made."""
    root = successor(org.latest("root").signed)
    old = org.root_key_names(root)
    org.write_root(root, [name for name in old if name != args.drop] + [args.add], [org.signer(name) for name in old])


def steal(org: Organisation, args: argparse.Namespace) -> None:
    """N+1 with an attacker's root and targets keys, signed by N's threshold of stolen keys."""
    root = successor(org.latest("root").signed)
    org.renew_targets_key(root)
    org.write_root(root, ["attacker-1:ed25519", "attacker-2:ed25519"], [org.signer(name) for name in args.keys])
    org.publish({"targets": org.latest("targets").signed})


def new_root(org: Organisation, args: argparse.Namespace) -> None:
    """The next version under new root keys and a new targets key, signed by nobody before them."""
    root = successor(org.latest("root").signed)
    org.renew_targets_key(root)
    org.write_root(root, args.keys, [])
    org.publish({"targets": org.latest("targets").signed})


def bundle(org: Organisation, args: argparse.Namespace) -> None:
    """Certificates that wrap public keys, signed by a key that is thrown away."""
    for name in args.keys:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(subject, subject, org.private(name).public_key())
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now()).not_valid_after(now() + datetime.timedelta(days=3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        certificate = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        sys.stdout.write(certificate.public_bytes(serialization.Encoding.PEM).decode())


def read(org: Organisation, args: argparse.Namespace) -> None:
    """What python-tuf's own client says of a target."""
    first = (org.metadata / "1.root.json").read_bytes()
    with tempfile.TemporaryDirectory() as cache:
        target = Updater(cache, args.url, bootstrap=first).get_targetinfo(args.target)
    if target is None:
        sys.exit(f"{args.target}: no such target")
    print(f"sha256:{target.hashes['sha256']}")


def successor(signed):
    signed.version += 1
    return signed


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=pathlib.Path)
    commands = parser.add_subparsers(required=True)

    def command(run, **options):
        sub = commands.add_parser(run.__name__.replace("_", "-"))
        for name, settings in options.items():
            sub.add_argument(name.replace("option_", "--"), **settings)
        sub.set_defaults(run=run)

    many = {"nargs": "+"}
    command(init, option_team={"action": "append", "default": []})
    command(sign, role={}, targets=many)
    command(rescind, role={}, targets=many)
    command(rotate_root, option_drop={"required": True}, option_add={"required": True})
    command(new_keys, keys=many)
    command(steal, option_keys=many)
    command(new_root, option_keys=many)
    command(bundle, keys=many)
    command(read, url={}, target={})
    return parser.parse_args()


if __name__ == "__main__":
    parsed = arguments()
    parsed.run(Organisation(parsed.directory), parsed)
