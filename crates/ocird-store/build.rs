//! Makes cargo look at the migrations: they are compiled in, and a new file alone would otherwise not be noticed.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
