"""Reading and predicting from health records."""
