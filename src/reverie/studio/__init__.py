"""The studio: a page on one's own machine to dream in, and the server, queue and gallery behind it.

Three processes: the *server* (``app``), which owns the queue and never imports torch; the *worker*, which dreams; the
*reader*, which decodes whatever people drop on the page, with limits of memory and time.
"""
