# What `run` and `test` ask of the machine. Sourced, not run.

CACHE_DIR="${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lockgate"
# One place outside the checkout: every clone and every run shares what was built.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$CACHE_DIR/target}"
mkdir -p "$CARGO_TARGET_DIR"

say() { printf '%s\n' "$*" >&2; }

if ! command -v cargo >/dev/null && [ -x "${CARGO_HOME:-${HOME:-}/.cargo}/bin/cargo" ]; then
  PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
fi
if ! command -v cargo >/dev/null; then
  say "cargo is missing: install the Rust toolchain from https://rustup.rs"
  exit 2
fi

# Installs Debian packages, as root or through sudo; says which. Fails when neither is possible.
apt_install() {
  local sudo=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { say "missing: $* (neither root nor sudo)"; return 1; }
    sudo=(sudo -n)
  fi
  command -v apt-get >/dev/null || { say "missing: $* (no apt-get here; install them by hand)"; return 1; }
  say "installing $* with apt-get"
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq </dev/null >&2 || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" </dev/null >&2
}

# Takes files out of a Debian package without installing it; says which.
apt_unpack() { # apt_unpack PACKAGE DIRECTORY FILE...
  local package=$1 dir=$2; shift 2
  command -v apt-get >/dev/null || { say "missing: $package (no apt-get here; install it by hand)"; return 1; }
  say "unpacking $* of $package into $dir"
  [ "$(id -u)" -ne 0 ] || apt-get update -qq </dev/null >&2 || true
  rm -rf "$dir" && mkdir -p "$dir" && (
    cd "$dir" && apt-get download -qq "$package" </dev/null >&2 &&
      dpkg-deb --fsys-tarfile ./*.deb | tar -x "$@" && rm -f ./*.deb
  )
}

need_compiler() {
  command -v cc >/dev/null || apt_install gcc libc6-dev
}
