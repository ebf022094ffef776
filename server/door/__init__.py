"""The door: who calls, what they prove, and how much of it is listened to."""
