"""Every way in: JSON API (`v1`), web pages (`pages`), command line (`cli`), worker (`engine`). Thin.

`settings` reads the environment, `wiring` turns it into running parts and begins and commits; `cases` is what every way
in calls; `auth` and `accounts` say who calls; `problems` turns errors into answers; `pilot` is the district for trials.
"""
