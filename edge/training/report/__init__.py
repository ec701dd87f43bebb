"""The study on one HTML page: data, training, evaluation."""
