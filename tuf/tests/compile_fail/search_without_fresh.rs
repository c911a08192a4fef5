//! Nothing is looked up in a chain that was not proved unexpired.
use tufd_tuf::search::search;
use tufd_tuf::trust::Trust;

fn answer(trust: &Trust) {
    search(trust, "registry.example/app:v1");
}

fn main() {}
