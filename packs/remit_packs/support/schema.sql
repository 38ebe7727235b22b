-- The shop. Tables and indexes are plain SQL for SQLite and PostgreSQL alike; the two triggers at the end are SQLite's.
-- Money is in integer cents, times in Unix milliseconds.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE customers (
  customer_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  phone TEXT NOT NULL,
  street TEXT NOT NULL,
  city TEXT NOT NULL,
  region TEXT NOT NULL,
  postal_code TEXT NOT NULL,
  country TEXT NOT NULL,
  favourite_category TEXT NOT NULL,
  budget_cents INTEGER NOT NULL,
  contact_by TEXT NOT NULL CHECK (contact_by IN ('email', 'phone', 'none')),
  joined_at BIGINT NOT NULL
);

CREATE TABLE products (
  product_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  category TEXT NOT NULL,
  price_cents INTEGER NOT NULL CHECK (price_cents > 0),
  stock INTEGER NOT NULL CHECK (stock >= 0),
  rating_tenths INTEGER NOT NULL,
  warranty_months INTEGER NOT NULL,
  description TEXT NOT NULL
);

CREATE TABLE orders (
  order_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers,
  status TEXT NOT NULL CHECK (status IN ('placed', 'packed', 'shipped', 'delivered', 'cancelled')),
  placed_at BIGINT NOT NULL,
  total_cents INTEGER NOT NULL,
  ship_to TEXT NOT NULL
);

CREATE TABLE order_lines (
  order_id INTEGER NOT NULL REFERENCES orders,
  line INTEGER NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products,
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  unit_price_cents INTEGER NOT NULL,
  PRIMARY KEY (order_id, line)
);

CREATE TABLE charges (
  charge_id INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders,
  amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
  method TEXT NOT NULL,
  charged_at BIGINT NOT NULL
);

CREATE TABLE shipments (
  shipment_id INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders,
  carrier TEXT NOT NULL,
  tracking_number TEXT NOT NULL,
  expected_at BIGINT NOT NULL
);

CREATE TABLE tracking_events (
  shipment_id INTEGER NOT NULL REFERENCES shipments,
  seq INTEGER NOT NULL,
  at BIGINT NOT NULL,
  place TEXT NOT NULL,
  event TEXT NOT NULL,
  PRIMARY KEY (shipment_id, seq)
);

CREATE TABLE tickets (
  ticket_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers,
  order_id INTEGER,
  subject TEXT NOT NULL,
  body TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
  created_at BIGINT NOT NULL
);

CREATE TABLE ticket_notes (
  ticket_id INTEGER NOT NULL REFERENCES tickets,
  seq INTEGER NOT NULL,
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (ticket_id, seq)
);

CREATE TABLE refunds (
  refund_id INTEGER PRIMARY KEY,
  order_id INTEGER NOT NULL REFERENCES orders,
  amount_cents INTEGER NOT NULL CHECK (amount_cents > 0),
  reason TEXT NOT NULL,
  idempotency_key TEXT NOT NULL UNIQUE,
  created_at BIGINT NOT NULL
);

CREATE TABLE outbox (
  message_id INTEGER PRIMARY KEY,
  customer_id INTEGER NOT NULL REFERENCES customers,
  subject TEXT NOT NULL,
  text TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

-- Append-only: what was done under which idempotency key, and what it answered. Written with the effect itself.
CREATE TABLE effects (
  idempotency_key TEXT PRIMARY KEY,
  tool TEXT NOT NULL,
  payload TEXT NOT NULL,
  output TEXT NOT NULL,
  ts BIGINT NOT NULL
);

CREATE INDEX orders_by_customer ON orders (customer_id, placed_at);
CREATE INDEX lines_by_product ON order_lines (product_id, order_id);
CREATE INDEX charges_by_order ON charges (order_id);
CREATE INDEX shipments_by_order ON shipments (order_id);
CREATE INDEX tickets_by_customer ON tickets (customer_id, created_at);
CREATE INDEX refunds_by_order ON refunds (order_id);

CREATE TRIGGER effects_never_change BEFORE UPDATE ON effects BEGIN SELECT RAISE(ABORT, 'effects are append-only'); END;
CREATE TRIGGER effects_never_go BEFORE DELETE ON effects BEGIN SELECT RAISE(ABORT, 'effects are append-only'); END;
