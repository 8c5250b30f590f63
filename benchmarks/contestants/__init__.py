"""Each file is one way to dream: ``runner(case)`` gives a function of the number of steps per octave.

They run in processes of their own (:mod:`benchmarks.worker`), the peers in an environment of their own. All
networks have random weights, which cost what trained ones do.
"""
