//! A chain past its expiry answers nothing but known-good's own question.
use tufd_tuf::search::search;
use tufd_tuf::trust::Grace;

fn ask(grace: &Grace<'_>) {
    let _ = search(grace, "registry.example/app:v1");
}

fn main() {}
