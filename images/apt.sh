# To be sourced: this machine's own way to a Debian archive, for mmdebstrap.
# shellcheck shell=bash

apt_sources() {
  local key=/usr/share/keyrings/debian-archive-keyring.gpg signed=''
  [ -r "$key" ] && signed="[signed-by=$key] "
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    awk -v signed="$signed" '$2 ~ /^bookworm(-updates|-security)?$/ && $3 == "main" \
      { print "deb " signed $1 " " $2 " " $3 }' | sort -u
}

# What reaches the archive here: proxies and the like, taken from this machine's configuration.
apt_options() {
  apt-config dump | sed -n -E '/^Acquire::(http|https|Check-Valid-Until|Check-Date|Retries|ForceIPv)/p' |
    grep -v '""' || true
}
