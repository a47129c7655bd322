//! End-to-end tests over the built binary, one file a behaviour.
