"""The only bridge to pyHanko: `writing` makes signatures, `judging` judges them."""
