"""What the services need from the outside, and nothing about how it is done.

One module a noun: what is read of it, how it is asked for, and the Protocol of whoever remembers it, which is the
module of the same name in `persistence`. `unit_of_work` holds them together, and `database` hands it out.
Nobody remembers `carriers` and `solver`: they are asked.
"""
