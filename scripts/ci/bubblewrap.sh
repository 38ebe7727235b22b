# Sourced: bubblewrap, the sandbox for code of agents; from Debian's packages where it is missing.
if ! command -v bwrap >/dev/null; then
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap) >/dev/null 2>&1
fi
