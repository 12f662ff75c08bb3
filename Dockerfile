# The program alone. The compiler is the one of rust-toolchain.toml, which is left out of what is sent (.dockerignore) so that
# no other is fetched; a test holds the two together. Base images are named by tag: pin their digests where you build it.
FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release -p lockgate

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/lockgate /usr/local/bin/lockgate
USER 65532:65532
EXPOSE 8080 8081 8090
# checkov:skip=CKV_DOCKER_2:there is no shell to ask with; what runs the image asks port 8080, or /livez and /readyz of port 8090
ENTRYPOINT ["lockgate"]
CMD ["serve", "--config", "/etc/lockgate/lockgate.yaml", "--data-dir", "/var/lib/lockgate"]
