#!/usr/bin/env bash
# A gate for any CI: build the shims, run the tests with them, measure, write the report, fail if anything got worse.
#
#     pip install 'gilgen[report]' pytest
#     gilgen diagnose vtk itk --quick --json gil-baseline.json      once, and again after each update; keep it with the sources
#     bash gate.sh [BASELINE [FOLDER]]
#
# FOLDER (default: gil) then holds what CI should publish. The exit code is that of the step that failed; pytest's own failures and the gate's are both 1.
set -euo pipefail
baseline=${1:-gil-baseline.json}
folder=${2:-gil}
mkdir -p "$folder"

gilgen fix vtk itk
pytest --gil-shims vtk,itk --gil-report "$folder/tests.html"
gilgen diagnose vtk itk --quick --json "$folder/report.json"
gilgen report "$folder/report.json" --html "$folder/report.html" --junit "$folder/report.xml"
gilgen check "$folder/report.json" --baseline "$baseline" \
    --max-stall 50ms --require 'vtk*.BuildLocator=releases' \
    --markdown "$folder/check.md"
