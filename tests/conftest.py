import os

# Several test processes share the cores; one thread each is quicker than all fighting for all of them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
