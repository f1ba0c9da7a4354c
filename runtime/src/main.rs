//! The `cerebellum` command.

fn main() -> std::process::ExitCode {
    cerebellum::cli::main()
}
