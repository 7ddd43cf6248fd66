//! The commands: what they print, where, and with which exit code.

#[tokio::test]
async fn placeholder() {}
