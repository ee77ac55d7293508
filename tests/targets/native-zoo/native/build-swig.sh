#!/bin/sh
# build-swig.sh SOURCE PYTHON OUTDIR [-DFIXED]      (needs swig 4); C++ if the source says %{ // C++
set -e
name=${1%.*}
include=$("$2" -c 'import sysconfig as s; print(s.get_paths()["include"])')
suffix=$("$2" -c 'import sysconfig as s; print(s.get_config_var("EXT_SUFFIX"))')
if grep -q '^%{ // C++' "$1"; then cpp=-c++ wrap=cxx compiler=g++; else cpp= wrap=c compiler=gcc; fi
swig -python $cpp $4 -outdir "$3" -o "$3/${name}_wrap.$wrap" "$1"
$compiler -g -O2 -shared -fPIC $4 -I"$include" -I. "$3/${name}_wrap.$wrap" -o "$3/_$name$suffix"
