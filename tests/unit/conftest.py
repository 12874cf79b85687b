from hypothesis import settings

# a law is not broken by a machine that has other work as well, or by the first example, which imports torch
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
