"""Where model versions live: MLflow, or memory in tests. Each implements both `Registry` and `Tracking`."""
