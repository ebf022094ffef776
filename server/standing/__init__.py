"""How things stand: as one object for programs, in one headline and on one page for people."""
