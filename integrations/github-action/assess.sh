#!/usr/bin/env bash
# Runs `lockgate assess` twice: once for the SARIF and the gates, once for the summary that people read.
# In: ASSESS_PATH, ASSESS_REQUIRE, ASSESS_EVIDENCE, ASSESS_ZIZMOR, ASSESS_SARIF, ASSESS_LOCKGATE (see action.yml).
# Ends with 0, with 1 when a required gate does not pass, or with 2 when something is wrong with what was given.
set -euo pipefail

if ! command -v "$ASSESS_LOCKGATE" >/dev/null; then
  echo "::error::there is no program '$ASSESS_LOCKGATE': install Lockgate in a step before, or name it in the input 'lockgate'"
  exit 2
fi

given=()
while IFS= read -r file; do
  if [ -n "$file" ]; then given+=("--evidence=$file"); fi
done <<<"$ASSESS_EVIDENCE"
case $ASSESS_ZIZMOR in
  true) given+=(--zizmor) ;;
  false | "") ;;
  *)
    echo "::error::the input 'zizmor' is '$ASSESS_ZIZMOR': write true or false"
    exit 2
    ;;
esac

read -r -a scenarios <<<"$ASSESS_REQUIRE"
gates=()
for scenario in "${scenarios[@]}"; do gates+=("--require=scenario=$scenario"); done

status=0
"$ASSESS_LOCKGATE" assess "${given[@]}" "${gates[@]}" --format=sarif -- "$ASSESS_PATH" >"$ASSESS_SARIF" || status=$?
case $status in
  0) passed=true ;;
  1) passed=false ;;
  *)
    # What is empty is no SARIF, and is not left for a later step to upload.
    rm -f -- "$ASSESS_SARIF"
    exit "$status"
    ;;
esac
"$ASSESS_LOCKGATE" assess "${given[@]}" --format=markdown -- "$ASSESS_PATH" >>"$GITHUB_STEP_SUMMARY"
echo "passed=$passed" >>"$GITHUB_OUTPUT"
exit "$status"
