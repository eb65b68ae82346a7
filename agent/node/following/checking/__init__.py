"""What a standby has is compared with what it should be: the standby itself and chunks of its vault, by schedule in shares or as
it was asked for; and what is known of both.
"""
