"""What attempts report and print about their training, kept as series.

::

    attempt-1/
        metrics.jsonl       what the job reports, line by line
        output.log          what it prints
        metrics/
            1/index.json    what there is in the files, and how far both sources were read
            1/0.f64         the points of series 0: step, time and value, as little-endian doubles
            2/…             what the next server has added

A `Follower` reads both sources on and adds what it finds; `curves` and `csv` read what is there.
The sources are what a job has written, so whatever is lost here can be read again.
"""
