ALTER TABLE sentiment_scores
    ADD COLUMN IF NOT EXISTS gravity Float32 DEFAULT 1
    COMMENT 'probability that the news, if it is bad, is grave; 1 where the model does not tell' AFTER score
