"""The command `bloodcells predict`: smears in; for each its class, or why there had better be no answer.

Only its `choice` knows where a run of the pipeline leaves its models.
"""
