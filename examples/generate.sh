#!/usr/bin/env bash
# Generates the Go and Python stubs from proto/: `examples/generate.sh [DIRECTORY]`, by default in place.
# Wants protoc-gen-go, protoc-gen-go-grpc and grpcio-tools as CI pins them:
#
#     PATH=$(cargo xtask tools | paste -sd:):$PATH examples/generate.sh
set -euo pipefail
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
into=$(realpath "${1:-$examples}")

mkdir -p "$into/go" "$into/python"
cd "$examples/../proto/proto"
python3 -m grpc_tools.protoc --proto_path=. tufd/v1/tufd.proto \
    --go_out="$into/go" --go-grpc_out="$into/go" \
    --go_opt=module=tufd.example/verify-image,Mtufd/v1/tufd.proto=tufd.example/verify-image/tufdv1 \
    --go-grpc_opt=module=tufd.example/verify-image,Mtufd/v1/tufd.proto=tufd.example/verify-image/tufdv1 \
    --python_out="$into/python" --pyi_out="$into/python" --grpc_python_out="$into/python"
