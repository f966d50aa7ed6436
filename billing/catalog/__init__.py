"""WHAT IS SOLD: AI models, their dated prices, rate limits by tier, plans. Owns the price list; never knows a customer."""
