"""The Amazon States Language as data: reading, checking, expressions, and a workflow's progress as a fold.

Source of the rules: https://states-language.net and the developer guide of AWS Step Functions. A document and its
states are plain dicts with the language's own field names; a document is checked before anything runs.
"""
