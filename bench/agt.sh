# A virtual environment with agent-governance-toolkit 4.1.0, as AGT_PYTHON. Sourced, not run.

command -v python3 >/dev/null || apt_install python3 python3-venv
agt="$CACHE_DIR/agt-4.1.0"
if [ ! -e "$agt/ready" ]; then
  say "installing agent-governance-toolkit 4.1.0 ..."
  python3 -m venv "$agt"
  # Its engines of policies are in the package that `core` names.
  "$agt/bin/pip" install --quiet --disable-pip-version-check \
    'agent-governance-toolkit[core]==4.1.0' 'agent-governance-toolkit-core==4.1.0' >&2
  touch "$agt/ready"
fi
AGT_PYTHON="$agt/bin/python"
