#!/usr/bin/env bash
# Renders a template of this folder to stdout:  render.sh gateway.conf.in HOSTNAME=gw1 ROUTERS_V4="10.0.1.1 10.0.2.1" ...
# A line with a placeholder of several values (separated by spaces) is repeated once per value. A placeholder
# without a value, and a value without a placeholder, are errors.
set -euo pipefail

fail() { echo "render.sh: $*" >&2; exit 64; }

[[ $# -ge 1 && -r $1 ]] || fail "usage: render.sh TEMPLATE NAME=VALUE..."
template=$1
shift
text=$(<"$template")
for assignment in "$@"; do
  [[ $assignment =~ ^([A-Z][A-Z0-9_]*)=(.+)$ ]] || fail "'$assignment' is not NAME=VALUE"
  name=${BASH_REMATCH[1]}
  read -ra values <<<"${BASH_REMATCH[2]}"
  [[ $text == *"@$name@"* ]] || fail "$template has no placeholder @$name@"
  rendered=
  while IFS= read -r line; do
    if [[ $line == *"@$name@"* ]]; then
      for value in "${values[@]}"; do rendered+=${line//"@$name@"/"$value"}$'\n'; done
    else
      rendered+=$line$'\n'
    fi
  done <<<"$text"
  text=$rendered
done
if [[ $text =~ @([A-Z][A-Z0-9_]*)@ ]]; then fail "no value for ${BASH_REMATCH[1]}"; fi
printf '%s\n' "${text%$'\n'}"
