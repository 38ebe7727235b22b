"""Tools of servers of the Model Context Protocol: proposed by a server, approved by a person, called as approved or not at all."""
