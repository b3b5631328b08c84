"""The harness: measures which calls really let other Python threads run.

Three independent witnesses (`window`, `overlap`, `witness`) look at one call each in its own process
(`isolate`, `child`); `verdict` reads what they saw; `run` goes through all cases, with controls; `report`
shows the outcome.
"""
