"""How good a model is: Kaggle's Dice, COCO's AP, and what a mill asks."""
