//! `lockgate.yaml`, read and validated whole.
