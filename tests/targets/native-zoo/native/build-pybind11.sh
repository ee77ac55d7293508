#!/bin/sh
# build-pybind11.sh SOURCE PYTHON OUTDIR [-DFIXED]     (needs pybind11 in PYTHON)
set -e
suffix=$("$2" -c 'import sysconfig as s; print(s.get_config_var("EXT_SUFFIX"))')
g++ -g -O2 -shared -fPIC -std=c++17 -fvisibility=hidden $4 $("$2" -m pybind11 --includes) "$1" -o "$3/${1%.*}$suffix"
