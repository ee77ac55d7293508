#!/bin/sh
# build-cython.sh SOURCE PYTHON OUTDIR [-DFIXED]     (needs Cython in PYTHON)
set -e
include=$("$2" -c 'import sysconfig as s; print(s.get_paths()["include"])')
suffix=$("$2" -c 'import sysconfig as s; print(s.get_config_var("EXT_SUFFIX"))')
"$2" -m cython -3 "$1" -o "$3/${1%.*}.c"
gcc -g -O2 -shared -fPIC $4 -I"$include" -I. "$3/${1%.*}.c" -o "$3/${1%.*}$suffix"
