"""The score of an account: each measure's score, the weighted tally, the caps, the band."""
