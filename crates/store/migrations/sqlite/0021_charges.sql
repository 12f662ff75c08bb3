-- A charge is of its period, whenever it was told.
CREATE INDEX value_charge ON value_event
    (body ->> 'charge_period_end_wall_ms', body ->> 'charge_period_start_wall_ms')
    WHERE kind = 'external_cost';
