"""A CrewAI agent whose tools and model are Lockgate's. Usage: crewai_agent.py QUESTION"""

import os
import sys

from crewai import LLM, Agent
from crewai_tools import MCPServerAdapter

headers = {"Authorization": f"Bearer {os.environ['LOCKGATE_AGENT_TOKEN']}"}
files = {"url": f"{os.environ['LOCKGATE_EGRESS']}/mcp/files", "transport": "streamable-http", "headers": headers}
# The model is Lockgate's too: OPENAI_BASE_URL says where, OPENAI_API_KEY is the agent's token.
llm = LLM(model=os.environ["MODEL"], provider="openai")
with MCPServerAdapter(files) as tools:
    agent = Agent(role="clerk", goal="answer from files", backstory="careful", llm=llm, tools=tools)
    print("offered:", ", ".join(sorted(tool.name for tool in tools)))
    print(agent.kickoff(sys.argv[1]).raw)
