-- The database of the assistant pack: an office supplier's products, and what its people know about working from home.
CREATE TABLE products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    category TEXT NOT NULL,
    price_usd REAL NOT NULL,
    stock INTEGER NOT NULL,
    description TEXT NOT NULL
);

CREATE TABLE articles (
    id INTEGER PRIMARY KEY,
    title TEXT NOT NULL,
    topic TEXT NOT NULL,
    body TEXT NOT NULL
);

INSERT INTO products VALUES
    (101, 'Oak standing desk', 'desks', 549.00, 12, 'Height from 62 to 127 cm by two motors, four positions remembered, top of 160 by 80 cm.'),
    (102, 'Folding desk', 'desks', 129.00, 40, 'Folds flat in ten seconds, carries 30 kg, top of 100 by 50 cm.'),
    (103, 'Corner desk', 'desks', 289.00, 0, 'L-shaped, 150 by 150 cm, with a channel for cables.'),
    (104, 'Desk converter', 'desks', 199.00, 23, 'Turns any desk into a standing desk; lifts two monitors by 45 cm.'),
    (111, 'Mesh chair', 'chairs', 259.00, 31, 'Back of mesh, lumbar support, armrests that move four ways; for up to 130 kg.'),
    (112, 'Kneeling chair', 'chairs', 119.00, 9, 'Opens the hips and keeps the back upright; for changes, not for the whole day.'),
    (113, 'Leather chair', 'chairs', 479.00, 5, 'Leather, tilts by 20 degrees, quiet castors for wooden floors.'),
    (114, 'Sitting ball', 'chairs', 39.00, 60, 'Ball of 65 cm with a ring that keeps it in place.'),
    (121, 'Monitor 27 inch 4K', 'monitors', 389.00, 18, 'IPS panel, 3840 by 2160, USB-C with 90 W that charges a laptop.'),
    (122, 'Monitor 34 inch curved', 'monitors', 599.00, 7, 'Curved, 3440 by 1440, two computers at once with one keyboard.'),
    (123, 'Monitor arm', 'monitors', 89.00, 44, 'Gas spring, holds 2 to 9 kg, clamps to desks of 1 to 8 cm.'),
    (124, 'Portable monitor 15 inch', 'monitors', 179.00, 26, 'Full HD, 700 g, one USB-C cable for picture and power.'),
    (131, 'Split keyboard', 'keyboards', 149.00, 15, 'Two halves, tented, quiet switches; keeps shoulders and wrists straight.'),
    (132, 'Compact keyboard', 'keyboards', 79.00, 52, 'Wireless, three devices, charges by USB-C, lasts four months.'),
    (133, 'Vertical mouse', 'mice', 49.00, 38, 'Hand as in a handshake, six buttons, wireless; for the right hand.'),
    (134, 'Trackball', 'mice', 69.00, 0, 'The thumb moves the ball, the wrist rests.'),
    (141, 'LED desk lamp', 'lamps', 59.00, 33, 'Colour from 2700 to 6500 K, dims, no flicker, charges a phone.'),
    (142, 'Monitor lamp', 'lamps', 75.00, 21, 'Sits on the monitor and lights the desk without glare on the screen.'),
    (151, 'Headset with noise cancelling', 'audio', 159.00, 29, 'Cancels noise around, microphone for meetings, 24 hours of battery.'),
    (152, 'Conference speaker', 'audio', 129.00, 11, 'Four microphones, hears three metres, USB and Bluetooth.'),
    (161, 'Footrest', 'accessories', 35.00, 47, 'Tilts, for everybody whose feet do not stand flat on the floor.'),
    (162, 'Cable tray', 'accessories', 24.00, 80, 'Screwed under the desk, holds power strip and cables.'),
    (163, 'Document holder', 'accessories', 29.00, 17, 'Between keyboard and monitor, so that the neck stays straight.'),
    (164, 'Webcam 4K', 'accessories', 119.00, 0, 'Follows the face, shutter, two microphones.');

INSERT INTO articles VALUES
    (1, 'How high should a desk be?', 'ergonomics', 'Elbows at a right angle, shoulders loose: for most people 65 to 75 cm when sitting and 95 to 115 cm when standing. A desk that cannot be set is too high for nine of ten people under 170 cm; raise the chair and use a footrest.'),
    (2, 'Standing at work', 'ergonomics', 'Change posture twice an hour. Standing for more than two hours in a row strains legs and back as much as sitting does the neck. Begin with ten minutes an hour.'),
    (3, 'Where the monitor goes', 'ergonomics', 'An arm away, its upper edge at the height of the eyes or a little below, square to the window so that nothing is reflected. With two monitors, the one used more stands straight ahead.'),
    (4, 'Wrists and keyboards', 'ergonomics', 'Wrists straight, forearms supported. A split keyboard and a vertical mouse help many whose wrists hurt; allow two weeks to get used to them. Pain that stays is a case for a doctor.'),
    (5, 'Light at the desk', 'ergonomics', '500 lux on the desk, from the side. Warm light in the evening: 3000 K and less. A lamp on the monitor avoids glare on the screen.'),
    (6, 'Quiet in open rooms', 'noise', 'Noise cancelling takes away the steady hum, not voices. Agree on hours without talk; a headset on means: not now. Carpets and shelves with books take away 3 to 6 decibels.'),
    (7, 'Better meetings from home', 'meetings', 'A headset beats every built-in microphone. Camera at the height of the eyes, light from the front. 25 minutes instead of 30 leave time to stand up.'),
    (8, 'Who pays for the home office?', 'policy', 'Every employee has 600 dollars for the first year and 200 in each year after it, for anything in the categories desks, chairs, monitors, keyboards, mice and lamps. Keep the receipt; expense it within 60 days.'),
    (9, 'Sending things back', 'policy', 'Unused articles within 30 days, chairs and desks within 60 days even when assembled. We pay for the way back. Headsets only unopened.'),
    (10, 'How long is the warranty?', 'policy', 'Desks and chairs five years, monitors three, everything else two. Batteries count as wear after one year.'),
    (11, 'Delivery', 'policy', 'Parcels in two to four days. Desks and chairs by two people on a day of your choice, into the room; assembly costs 45 dollars.'),
    (12, 'Working in a small room', 'ergonomics', 'A folding desk of 100 by 50 cm and a portable monitor fit into a niche. A monitor arm frees 20 cm of depth. Put away what you work with in the evening: it ends the day.');
