CREATE TABLE categories (
  id INTEGER PRIMARY KEY,
  name VARCHAR(60) NOT NULL,
  parent_id INTEGER REFERENCES categories (id)
);
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  name VARCHAR(80) NOT NULL,
  email VARCHAR(120) NOT NULL,
  password_hash VARCHAR(64) NOT NULL,
  city VARCHAR(60) NOT NULL,
  country VARCHAR(2) NOT NULL,
  segment VARCHAR(20) NOT NULL,
  joined_on DATE NOT NULL
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  category_id INTEGER NOT NULL REFERENCES categories (id),
  sku VARCHAR(20) NOT NULL,
  name VARCHAR(80) NOT NULL,
  price MONEY_TYPE NOT NULL,
  cost MONEY_TYPE NOT NULL,
  stock INTEGER NOT NULL,
  discontinued BOOLEAN NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  ordered_at TIMESTAMP NOT NULL,
  status VARCHAR(20) NOT NULL,
  channel VARCHAR(20) NOT NULL,
  shipping MONEY_TYPE NOT NULL,
  total MONEY_TYPE NOT NULL
);
CREATE TABLE order_items (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  product_id INTEGER NOT NULL REFERENCES products (id),
  quantity INTEGER NOT NULL,
  unit_price MONEY_TYPE NOT NULL,
  discount MONEY_TYPE NOT NULL
);
CREATE TABLE payments (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  method VARCHAR(20) NOT NULL,
  amount MONEY_TYPE NOT NULL,
  status VARCHAR(20) NOT NULL,
  paid_at TIMESTAMP NOT NULL
);
CREATE TABLE shipments (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  order_id INTEGER NOT NULL REFERENCES orders (id),
  carrier VARCHAR(20) NOT NULL,
  shipped_on DATE NOT NULL,
  delivered_on DATE
);
CREATE TABLE reviews (
  id INTEGER PRIMARY KEY,
  tenant_id VARCHAR(40) NOT NULL,
  product_id INTEGER NOT NULL REFERENCES products (id),
  customer_id INTEGER NOT NULL REFERENCES customers (id),
  rating INTEGER NOT NULL,
  body VARCHAR(400) NOT NULL,
  written_on DATE NOT NULL
);
CREATE INDEX customers_tenant ON customers (tenant_id);
CREATE INDEX products_tenant ON products (tenant_id);
CREATE INDEX orders_tenant ON orders (tenant_id, customer_id);
CREATE INDEX order_items_tenant ON order_items (tenant_id, order_id);
CREATE INDEX payments_tenant ON payments (tenant_id, order_id);
CREATE INDEX shipments_tenant ON shipments (tenant_id, order_id);
CREATE INDEX reviews_tenant ON reviews (tenant_id, product_id);
