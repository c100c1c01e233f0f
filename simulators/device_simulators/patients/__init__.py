"""Virtual people: glucose from a physiological model, and what scales, cuffs and thermometers would find on them.

None of it is a real person's, and none of it is advice: the model was made to test controllers, not to treat.
"""
