//! Generates the code with protox, so that no protoc is needed on the machine.
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/tufd/v1/tufd.proto", "proto/workload/workload.proto"];
    for file in files {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
