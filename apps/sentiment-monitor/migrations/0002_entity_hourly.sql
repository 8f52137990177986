CREATE VIEW IF NOT EXISTS entity_hourly AS
SELECT
    toStartOfHour(event_time) AS hour,
    entity,
    count() AS messages,
    countIf(negative > positive AND negative > neutral) AS negative_messages,
    avg(score) AS mean_score,
    avg(novelty) AS mean_novelty
FROM sentiment_scores FINAL
ARRAY JOIN entities AS entity
GROUP BY hour, entity
