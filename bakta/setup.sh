#!/usr/bin/env bash
# Installs the real Bakta, its tools and a tiny reference database in one directory, and the real Baktfold without its searches.
# Run it again to update it: a step whose inputs did not change is not repeated.
#
#   setup.sh [PREFIX]        default: .cache/bakta of this repository
#
# Afterwards: PREFIX/bin/bakta --db PREFIX/db --output DIR PREFIX/demo.fna
#             PREFIX/bin/bakta_proteins --db PREFIX/db --output DIR PROTEINS.faa
#             PREFIX/bin/baktfold run --database PREFIX/baktfold-db --input DIR/demo.json --output OTHER
# The file PREFIX/stamps/smoke exists while the first two are ready, stamps/smoke-baktfold while the third is.
#
# Needs Debian 12 on amd64 with perl and Python 3.11 or newer (with venv). Writes nothing outside PREFIX: packages
# are unpacked there, not installed. PREFIX may be moved afterwards: its programs locate themselves.
#
# Exit status: 0 ready
#              2 this machine can't run it
#              3 a package is not available: no network, or a suite has moved on; not a fault of this repository
#              4 all packages are available, but Bakta, its reference database or Baktfold does not work
# Bakta is installed first, so it may be ready although Baktfold ends this with 3 or 4.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
code=2 doing="checking this machine" hint=""
finish() {
  local status=$?
  [ "$status" = 0 ] && return
  [ -z "${log:-}" ] || [ ! -s "$log" ] || tail -n 15 "$log" >&2
  echo "bakta/setup.sh: $doing failed${hint:+: $hint}" >&2
  exit "$code"
}
trap finish EXIT

. /etc/os-release
hint="Debian 12 on amd64 is needed, this is ${PRETTY_NAME:-unknown} on $(uname -m)"
[ "${ID:-}:${VERSION_ID:-}:$(dpkg --print-architecture)" = debian:12:amd64 ]
hint="perl and Python 3.11 or newer with venv are needed"
perl -e 1 && python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
hint="no mirror in apt's configuration; name one in DEBIAN_MIRROR"
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
  awk -v suite="$VERSION_CODENAME" '$1 == suite { print $2; exit }')}
[ -n "$mirror" ]
hint=""

prefix=${1:-$here/../.cache/bakta}
mkdir -p "$prefix/stamps" "$prefix/bin"
prefix=$(cd "$prefix" && pwd)
work=$prefix/work
exec 9> "$prefix/stamps/lock"
flock 9 # a second set-up waits, and then has nothing to do
rm -rf "$work" && mkdir "$work"
log=$work/log
export DEBIAN_FRONTEND=noninteractive TMPDIR=$work PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1

# begin STEP CODE TEXT INPUTS...: false if STEP was done with the same inputs; otherwise a failure from here on exits with CODE.
# A step invalidates what was ready until it is tested again: each step invalidates Baktfold, each step that is not Baktfold's also Bakta.
begin() {
  step=$1 code=$2 doing=$3
  print=$(cat "${@:4}" | sha256sum)
  : > "$log"
  [ "$(cat "$prefix/stamps/$step" 2> /dev/null)" != "$print" ] || return 1
  echo "bakta: $doing"
  rm -f "$prefix/stamps/$step" "$prefix/stamps/smoke-baktfold"
  case $step in *baktfold) ;; *) rm -f "$prefix/stamps/smoke" ;; esac
}
end() { echo "$print" > "$prefix/stamps/$step"; }

# The time limit of a download.
patience="timeout --kill-after=10 600"

# fetch SUITE COMPONENTS ACTION PACKAGES...: downloads packages to $work/SUITE with an apt that has its own state. ACTION is "download"
# for the packages only, "install" to include their dependencies. Interpreters and data that exist on this machine, or are not
# needed, count as installed.
fetch() {
  local suite=$1 components=$2 action=$3 apt=$work/apt-$1 name
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$work/$suite"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite $components" > "$apt/sources.list"
  for name in perl perl-base python3 ncbi-data sse4.2-support; do
    printf 'Package: %s\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: allowed\nVersion: 999\n' "$name"
    printf 'Maintainer: nobody <nobody@localhost>\nDescription: of this machine\n\n'
  done > "$apt/status"
  printf '%s "%s";\n' Dir::State "$apt" Dir::State::status "$apt/status" Dir::Cache "$apt/cache" \
    Dir::Etc::SourceList "$apt/sources.list" Dir::Etc::SourceParts /dev/null \
    Dir::Etc::Preferences /dev/null Dir::Etc::PreferencesParts /dev/null \
    APT::Sandbox::User root APT::Install-Recommends false APT::Update::Error-Mode any \
    Acquire::Languages none Acquire::Retries 3 > "$apt/conf"
  hint="is the network there, and does the mirror still carry Debian's suite \"$suite\"?"
  APT_CONFIG=$apt/conf $patience apt-get -q update >> "$log" 2>&1
  hint="Debian's suite \"$suite\" has moved on: have ${*:4} other names, or other needs?"
  if [ "$action" = install ]; then
    APT_CONFIG=$apt/conf $patience apt-get -q install -y --download-only "${@:4}" >> "$log" 2>&1
    mv "$apt"/cache/archives/*.deb "$work/$suite/"
  else
    (cd "$work/$suite" && APT_CONFIG=$apt/conf $patience apt-get -q download "${@:4}" >> "$log" 2>&1)
  fi
  hint=""
}

# unpack SUITE: unpacks the downloaded packages to PREFIX/SUITE and records their versions.
unpack() {
  local deb
  rm -rf "${prefix:?}/$1" && mkdir "$prefix/$1"
  for deb in "$work/$1"/*.deb; do
    dpkg-deb -x "$deb" "$prefix/$1"
    dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb" >> "$prefix/$1/versions"
  done
  rm -rf "$prefix/$1"/usr/share/{doc,man,locale,lintian,bash-completion} "$prefix/$1"/usr/lib/python3
}

# program NAME: creates PREFIX/bin/NAME from standard input.
program() { cat > "$prefix/bin/$1" && chmod +x "$prefix/bin/$1"; }

if begin python 3 "installing Bakta from the Python package index" "$here/requirements.txt"; then
  rm -rf "$prefix/venv"
  python3 -m venv "$prefix/venv" >> "$log" 2>&1
  $patience "$prefix/venv/bin/python" -m pip install -q -r "$here/requirements.txt" >> "$log" 2>&1
  end
fi

# The text of a step that downloads is its input, so that the suites are asked again only if the step changed.
tools() {
  fetch trixie "main non-free" download trnascan-se trnascan-se-common aragorn infernal pilercr
  unpack trixie
  scan=$prefix/trixie/usr
  # Its paths are compiled in; let it take them from the environment, which its wrapper sets.
  sed -i 's#"/usr/share/trnascan-se"#"$ENV{TRNASCAN_ROOT}/usr/share/trnascan-se"#
          s#"/etc/tRNAscan-SE.conf"#"$ENV{TRNASCAN_ROOT}/etc/tRNAscan-SE.conf"#' "$scan/bin/tRNAscan-SE"
  sed -i 's#^\(bin_dir\|lib_dir\|infernal_dir\): .*/usr/#\1: TRNASCAN_ROOT/usr/#
          s#^infernal_dir: .*#infernal_dir: TRNASCAN_ROOT/usr/lib/infernal#' "$prefix/trixie/etc/tRNAscan-SE.conf"
  sed -i '0,/chomp(\$line);/s##&  $line =~ s/TRNASCAN_ROOT/$ENV{TRNASCAN_ROOT}/;#' \
    "$scan/share/trnascan-se/tRNAscanSE/Configuration.pm"
  hint="tRNAscan-SE's files are not what they were"
  [ "$(cat "$scan/bin/tRNAscan-SE" "$scan/share/trnascan-se/tRNAscanSE/Configuration.pm" \
    "$prefix/trixie/etc/tRNAscan-SE.conf" | grep -c TRNASCAN_ROOT)" = 6 ]
  hint=""
}
if begin stable 3 "unpacking tRNAscan-SE, Aragorn, Infernal and PILER-CR from Debian 13" <(declare -f fetch unpack tools); then
  tools
  end
fi

newer_tools() {
  fetch unstable main install diamond-aligner ncbi-blast+
  unpack unstable
  find "$prefix/unstable/usr/bin" -type f ! -name 'diamond*' ! -name blastn -delete
}
if begin unstable 3 "unpacking DIAMOND and BLAST+ from Debian's unstable suite" <(declare -f fetch unpack newer_tools); then
  newer_tools
  end
fi

if begin programs 4 "making the programs" "$0"; then
  for tool in aragorn pilercr; do ln -sfn "../trixie/usr/bin/$tool" "$prefix/bin/$tool"; done
  for tool in cmscan cmbuild cmcalibrate cmpress; do ln -sfn "../trixie/usr/lib/infernal/$tool" "$prefix/bin/$tool"; done
  program tRNAscan-SE << 'END'
#!/bin/sh
TRNASCAN_ROOT=$(dirname "$(dirname "$(readlink -f "$0")")")/trixie
export TRNASCAN_ROOT
exec perl "$TRNASCAN_ROOT/usr/bin/tRNAscan-SE" "$@"
END
  program diamond << 'END'
#!/bin/sh
# Newer than this Debian's libraries, so it runs with its own and their loader.
root=$(dirname "$(dirname "$(readlink -f "$0")")")/unstable/usr
lib=$root/lib/x86_64-linux-gnu
exec "$lib/ld-linux-x86-64.so.2" --library-path "$lib:$root/lib/ncbi-blast+" "$root/bin/$(basename "$0")" "$@"
END
  cp "$prefix/bin/diamond" "$prefix/bin/blastn"
  program amrfinder << 'END'
#!/bin/sh
# AMRFinderPlus is in no package registry. This answers for it: the version that Bakta asks for, and no hits.
case " $* " in *" --version "*) echo 4.2.7 ;; esac
while [ $# -gt 1 ]; do
  [ "$1" != --output ] || : > "$2"
  shift
done
END
  program bakta << 'END'
#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")
PATH=$root/bin:$PATH
MPLCONFIGDIR=${MPLCONFIGDIR:-$root/matplotlib}
export PATH MPLCONFIGDIR
exec "$root/venv/bin/python" "$root/venv/bin/$(basename "$0")" "$@"
END
  cp "$prefix/bin/bakta" "$prefix/bin/bakta_proteins"
  end
fi

if begin database 4 "making the database" "$here/genome.py" "$here/database.py" "$prefix/stamps/unstable" "$prefix/stamps/stable"; then
  rm -rf "$prefix/db"
  "$prefix/venv/bin/python" "$here/genome.py" > "$prefix/demo.fna"
  PATH=$prefix/bin:$PATH "$prefix/venv/bin/python" "$here/database.py" "$prefix/db" >> "$log" 2>&1
  end
fi

if begin smoke 4 "annotating the demonstration genome" "$prefix"/stamps/{python,programs,database}; then
  "$prefix/bin/bakta" --db "$prefix/db" --output "$work/smoke" --prefix demo "$prefix/demo.fna" >> "$log" 2>&1
  for ending in tsv gff3 gbff embl fna ffn faa inference.tsv hypotheticals.tsv hypotheticals.faa json txt png svg log; do
    hint="no demo.$ending"
    [ -s "$work/smoke/demo.$ending" ]
  done
  for line in 'tRNAs: 1' 'rRNAs: 1' 'ncRNAs: 1' 'ncRNA regions: 1' 'CRISPR arrays: 1' 'CDSs: 63' 'pseudogenes: 1' \
    'hypotheticals: 16' 'sORFs: 1' 'gaps: 1' 'oriCs: 1' 'oriTs: 1'; do
    hint="its summary should say \"$line\""
    grep -qx "$line" "$work/smoke/demo.txt"
  done
  hint="no proteins.json by bakta_proteins"
  "$prefix/bin/bakta_proteins" --db "$prefix/db" --output "$work/smoke-proteins" --prefix proteins "$work/smoke/demo.faa" >> "$log" 2>&1
  [ -s "$work/smoke-proteins/proteins.json" ]
  hint=""
  end
fi

if begin baktfold 3 "installing Baktfold from the Python package index" \
  "$here/requirements-baktfold.txt" "$here/baktfold.py" "$prefix/stamps/python"; then
  rm -rf "$prefix/baktfold" "$prefix/baktfold-db"
  $patience "$prefix/venv/bin/python" -m pip install -q --no-deps --target "$prefix/baktfold/packages" \
    -r "$here/requirements-baktfold.txt" >> "$log" 2>&1
  cp "$here/baktfold.py" "$prefix/baktfold/baktfold.py"
  end
fi

if begin smoke-baktfold 4 "running Baktfold" "$0" "$prefix"/stamps/{baktfold,smoke}; then
  mkdir -p "$prefix/baktfold/bin"
  program baktfold << 'END'
#!/bin/sh
# The real Baktfold without its searches, see baktfold.py.
root=$(dirname "$(dirname "$(readlink -f "$0")")")
PATH=$root/baktfold/bin:$PATH
PYTHONPATH=$root/baktfold/packages
PYTHONDONTWRITEBYTECODE=1
export PATH PYTHONPATH PYTHONDONTWRITEBYTECODE
exec "$root/venv/bin/python" -P "$root/baktfold/baktfold.py" "$@"
END
  program ../baktfold/bin/foldseek << 'END'
#!/bin/sh
# Foldseek is in no package registry that is used here. This answers for it: the version that Baktfold asks for, and no hits.
case $1 in
  version) echo 10.941cd33 ;;
  convertalis) : > "$5" ;;
esac
END
  "$prefix/bin/baktfold" make-database "$prefix/baktfold-db" >> "$log" 2>&1
  hint="no demo.json by baktfold"
  [ -d "$work/smoke" ] || "$prefix/bin/bakta" --db "$prefix/db" --output "$work/smoke" --prefix demo --skip-plot \
    "$prefix/demo.fna" >> "$log" 2>&1
  "$prefix/bin/baktfold" run -i "$work/smoke/demo.json" -o "$work/smoke-baktfold" -p demo -d "$prefix/baktfold-db" >> "$log" 2>&1
  [ -s "$work/smoke-baktfold/demo.json" ]
  hint=""
  end
fi

rm -rf "$work"
log=""
echo "bakta: $("$prefix/bin/bakta" --version) and $("$prefix/bin/baktfold" --version) without its searches are ready at $prefix"
