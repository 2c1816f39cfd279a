"""What runs: the loop of generations, its workers, the race and the finalists."""
