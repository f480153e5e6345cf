"""What another journey map would have concluded from past touchpoints, beside what the live one concludes of the same."""
